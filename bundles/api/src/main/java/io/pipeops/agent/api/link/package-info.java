/** The connection to the control plane: who handles what comes in, and how an answer goes back. */
@Version("1.1.0")
package io.pipeops.agent.api.link;

import org.osgi.annotation.versioning.Version;
