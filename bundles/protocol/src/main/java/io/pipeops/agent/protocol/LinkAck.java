package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * Says how far the messages of a resumable link have arrived. Does not count itself.
 *
 * @param received how many messages in all
 */
public record LinkAck(long received) implements Payload {
  public static final String TYPE = "link_ack";

  /**
   * Parses the payload.
   *
   * @throws ProtocolException if it is not a JSON object with a count
   */
  public static LinkAck parse(JsonText payload) throws ProtocolException {
    return new LinkAck(LinkResume.count(new FieldMap(Json.object(payload, TYPE)), TYPE));
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
