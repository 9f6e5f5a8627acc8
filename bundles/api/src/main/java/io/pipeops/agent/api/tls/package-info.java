/** What every TLS client of the agent does the same way. */
@Version("1.0.0")
package io.pipeops.agent.api.tls;

import org.osgi.annotation.versioning.Version;
