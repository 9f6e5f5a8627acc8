/**
 * Carries TCP and UDP between the control plane and services of the cluster, as yamux streams
 * (protocol 5.4) and as JSON messages (6), and HTTP between a hub and the cluster's API server.
 * {@link io.pipeops.agent.forward.ForwardFeature} is the component; {@link
 * io.pipeops.agent.forward.Targets} decides what may be reached.
 */
package io.pipeops.agent.forward;
