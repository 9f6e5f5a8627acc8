package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * How much of a streamed request body (protocol 3.3) the peer may send. The protocol has no window
 * for it, so a target that reads slowly would cost the request. An agent that knows this one sends
 * it for a request that asks for it by {@code body_window}, at once and as its target takes what
 * came; others ignore the field and send nothing. A chunk counts for its bytes and {@link
 * #PER_CHUNK} more, so that many tiny ones fit into what the agent has set aside, too. A chunk of
 * at most {@link #CHUNK} bytes may be sent while the count is below what is granted: the last one
 * may go beyond, and nobody has to cut pieces to fit.
 *
 * @param upTo what is granted in all, counted from the beginning; not negative
 */
public record ProxyRequestWindow(long upTo) implements Payload {
  public static final String TYPE = "proxy_request_window";

  /** The largest chunk, in bytes before base64. */
  public static final int CHUNK = 32 << 10;

  /** What a chunk counts for beside its bytes. */
  public static final int PER_CHUNK = 256;

  /**
   * Parses the payload.
   *
   * @throws ProtocolException if it is not a JSON object or has no such number
   */
  public static ProxyRequestWindow parse(JsonText payload) throws ProtocolException {
    long upTo = -1;
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      if (in.name().equals("up_to")) {
        upTo = in.number(-1);
      }
    }
    if (upTo < 0) {
      throw new ProtocolException(TYPE + ": no up_to");
    }
    return new ProxyRequestWindow(upTo);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeNumberField("up_to", upTo);
    json.writeEndObject();
  }
}
