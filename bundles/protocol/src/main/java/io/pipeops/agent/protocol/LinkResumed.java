package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * The hub's answer to {@link LinkResume}: the session goes on. What the agent has sent after the
 * count is to be sent again; the hub's own messages follow. A refusal is an {@code error} message
 * and a close.
 *
 * @param received how many messages of the agent the hub has received in all
 */
public record LinkResumed(long received) implements Payload {
  public static final String TYPE = "link_resumed";

  /**
   * Parses the payload.
   *
   * @throws ProtocolException if it is not a JSON object with a count
   */
  public static LinkResumed parse(JsonText payload) throws ProtocolException {
    return new LinkResumed(LinkResume.count(new FieldMap(Json.object(payload, TYPE)), TYPE));
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeNumberField("received", received);
    json.writeEndObject();
  }
}
