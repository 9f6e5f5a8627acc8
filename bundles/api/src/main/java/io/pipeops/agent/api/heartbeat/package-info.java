/** Extension point for what a heartbeat carries. */
@Version("1.0.0")
package io.pipeops.agent.api.heartbeat;

import org.osgi.annotation.versioning.Version;
