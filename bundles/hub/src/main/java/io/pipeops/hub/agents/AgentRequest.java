package io.pipeops.hub.agents;

import io.pipeops.agent.protocol.Headers;
import java.nio.ByteBuffer;

/**
 * What is sent to an agent as {@code proxy_request} (protocol 3.2).
 *
 * @param method HTTP method
 * @param path decoded path
 * @param query raw query without the question mark; empty if there is none
 * @param headers end-to-end headers
 * @param body the whole body, empty for none; ignored if it is streamed
 * @param streamed whether the body follows in chunks ({@link AgentStream#sendBody})
 */
public record AgentRequest(
    String method, String path, String query, Headers headers, ByteBuffer body, boolean streamed) {
  /** A body of at most this size is sent within the request. */
  public static final int INLINE_BODY = 64 << 10;
}
