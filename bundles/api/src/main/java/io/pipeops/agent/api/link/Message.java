package io.pipeops.agent.api.link;

/**
 * One message of the peer: a parsed envelope (protocol 2.2) with its payload as it came.
 *
 * @param type the message type, case-sensitive
 * @param requestId the envelope's request id; empty if it had none
 * @param payload the payload object as JSON text; empty if it was missing or null
 */
public record Message(String type, String requestId, JsonText payload) {}
