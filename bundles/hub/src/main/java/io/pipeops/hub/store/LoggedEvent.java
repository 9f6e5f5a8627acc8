package io.pipeops.hub.store;

import java.time.Instant;

/**
 * An event in the database's log.
 *
 * @param id its place in the log
 * @param at when
 * @param type as in {@link HubEvent#type}; heartbeats are not logged
 * @param clusterId which cluster; empty if none
 * @param detail one line for a person
 */
public record LoggedEvent(long id, Instant at, String type, String clusterId, String detail) {}
