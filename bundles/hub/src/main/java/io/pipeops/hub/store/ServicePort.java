package io.pipeops.hub.store;

import java.time.Instant;

/**
 * A port of the hub that leads to a service of a cluster.
 *
 * @param id its own id
 * @param clusterId whose service it is
 * @param protocol {@code tcp} or {@code udp}
 * @param port the hub's port
 * @param service the service's name
 * @param namespace the service's namespace
 * @param targetPort the service's port
 * @param created when it was made
 */
public record ServicePort(
    String id,
    String clusterId,
    String protocol,
    int port,
    String service,
    String namespace,
    int targetPort,
    Instant created) {}
