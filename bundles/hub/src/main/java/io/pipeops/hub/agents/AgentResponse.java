package io.pipeops.hub.agents;

import io.pipeops.agent.protocol.Headers;

/**
 * How a response begins.
 *
 * @param status HTTP status, 200 to 599
 * @param headers its headers as the agent sent them
 */
public record AgentResponse(int status, Headers headers) {}
