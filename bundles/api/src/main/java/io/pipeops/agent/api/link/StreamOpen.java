package io.pipeops.agent.api.link;

import java.time.Duration;

/**
 * What the peer opened a stream for (protocol 5.4). The names come from the peer as they are: the
 * handler checks them.
 *
 * @param protocol one of the constants of {@link StreamHandler}
 * @param service name of the service
 * @param namespace the service's namespace
 * @param port 0 to 65535
 * @param tunnelId for logs; strip line breaks
 * @param limit how long the target may take to accept
 */
public record StreamOpen(
    String protocol, String service, String namespace, int port, String tunnelId, Duration limit) {}
