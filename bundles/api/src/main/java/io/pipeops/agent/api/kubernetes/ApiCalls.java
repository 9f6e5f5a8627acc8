package io.pipeops.agent.api.kubernetes;

import java.io.IOException;
import java.time.Duration;
import org.osgi.annotation.versioning.ProviderType;

/**
 * Small calls to the API server with the agent's own credentials, over one connection that all
 * features share. For a few figures now and then this is far cheaper than the typed client.
 */
@ProviderType
public interface ApiCalls {
  /** Largest answer that is taken. */
  int MAX_ANSWER = 8 << 20;

  /**
   * Gets a resource; blocks. A server that asks for patience (429, or 503 with {@code Retry-After})
   * is asked again within the limit, if that leaves enough time.
   *
   * @param path path and query, percent-encoded, such as {@code /api/v1/nodes?limit=1}
   * @param accept the wanted media type, such as {@code application/json}
   * @throws IOException if there is no answer within the limit, or one larger than {@link
   *     #MAX_ANSWER}; its message says why and holds no secret
   */
  Answer get(String path, String accept, Duration limit) throws IOException, InterruptedException;

  /**
   * What the server said.
   *
   * @param status HTTP status, of any class
   * @param body the body
   * @param retryAfter how long the server wants to be left alone; zero if it did not say
   */
  record Answer(int status, byte[] body, Duration retryAfter) {
    public boolean ok() {
      return status >= 200 && status < 300;
    }
  }
}
