/** Numbers for Prometheus; what a bundle registers leaves with the bundle. */
@Version("1.0.0")
package io.pipeops.agent.api.metrics;

import org.osgi.annotation.versioning.Version;
