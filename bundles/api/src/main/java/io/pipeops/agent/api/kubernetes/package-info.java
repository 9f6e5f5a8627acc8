/** The cluster the agent serves: its API server, and the few things the agent keeps in it. */
@Version("1.0.0")
package io.pipeops.agent.api.kubernetes;

import org.osgi.annotation.versioning.Version;
