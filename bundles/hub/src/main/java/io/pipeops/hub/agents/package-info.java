/**
 * The agents' side of the hub: their WebSockets, sessions, registration, and the requests that are
 * multiplexed over each of them. It knows clusters only through {@link
 * io.pipeops.hub.agents.ClusterDirectory}.
 */
package io.pipeops.hub.agents;
