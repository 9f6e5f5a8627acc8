/**
 * Heartbeats (protocol 1.10 and 2.5.3). {@link io.pipeops.agent.heartbeat.HeartbeatSender} sends
 * them; what they say comes from {@link io.pipeops.agent.api.heartbeat.HeartbeatFact} services,
 * among them {@link io.pipeops.agent.heartbeat.ClusterFigures} with the cluster's size and load.
 */
package io.pipeops.agent.heartbeat;
