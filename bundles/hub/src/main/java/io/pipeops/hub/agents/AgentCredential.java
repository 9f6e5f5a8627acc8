package io.pipeops.hub.agents;

import java.util.Optional;

/**
 * Who an agent's token belongs to.
 *
 * @param id the token's own id; not the token
 * @param name the token's name, for logs
 * @param clusterId the only cluster that it may speak for; empty if it may register new ones
 */
public record AgentCredential(String id, String name, Optional<String> clusterId) {}
