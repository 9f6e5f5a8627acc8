package io.pipeops.hub.store;

import java.time.Instant;

/**
 * Something that happened to a cluster or a token.
 *
 * @param number counts up by one from the hub's start
 * @param at when
 * @param type {@code connected}, {@code registered}, {@code heartbeat}, {@code disconnected},
 *     {@code cluster_deleted}, {@code token_created} or {@code token_revoked}
 * @param clusterId which cluster; empty if none
 * @param clusterName its name; empty if none
 * @param detail one line for a person; never a secret
 * @param heartbeat what a heartbeat said; {@link HeartbeatSummary#NONE} for other types
 */
public record HubEvent(
    long number,
    Instant at,
    String type,
    String clusterId,
    String clusterName,
    String detail,
    HeartbeatSummary heartbeat) {}
