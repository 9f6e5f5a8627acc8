/**
 * The one registry of numbers. {@link io.pipeops.agent.metrics.BundleMetrics} is what a bundle sees
 * of it; {@link io.pipeops.agent.metrics.MetricsServlet} shows all of it as Prometheus text.
 */
package io.pipeops.agent.metrics;
