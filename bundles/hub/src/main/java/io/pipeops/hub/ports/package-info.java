/**
 * Ports of the hub that lead to TCP and UDP services of clusters, by streams of their agents.
 * {@link io.pipeops.hub.ports.PortDesk} opens and closes them.
 */
package io.pipeops.hub.ports;
