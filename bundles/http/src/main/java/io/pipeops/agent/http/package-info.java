/**
 * The one local HTTP server (protocol 10). {@link io.pipeops.agent.http.LocalServer} configures it;
 * every page is a servlet of the OSGi HTTP Whiteboard, ours as well as those of other bundles.
 * {@link io.pipeops.agent.http.Readiness} runs the health checks.
 */
package io.pipeops.agent.http;
