/**
 * What can be switched and upgraded while the agent runs, and what an upgrade asks of a feature.
 */
@Version("1.0.0")
package io.pipeops.agent.api.feature;

import org.osgi.annotation.versioning.Version;
