package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * The first message of a connection that takes the place of one that was lost (extension {@link
 * Extensions#RESUME}).
 *
 * @param session which session, as the hub named it in {@link ResumeOffer}
 * @param secret proves that the sender is the one the offer was made to
 * @param received how many messages of the hub the agent has received in all
 */
public record LinkResume(String session, String secret, long received) implements Payload {
  public static final String TYPE = "link_resume";

  /** The header of the upgrade request by which the hub knows what the connection is for. */
  public static final String HEADER = "X-Link-Resume";

  /**
   * Parses the payload.
   *
   * @throws ProtocolException if it is not a JSON object with all three
   */
  public static LinkResume parse(JsonText payload) throws ProtocolException {
    FieldMap take = new FieldMap(Json.object(payload, TYPE));
    long received = count(take, TYPE);
    String session = take.text("session");
    String secret = take.text("secret");
    if (session.isEmpty() || secret.isEmpty()) {
      throw new ProtocolException(TYPE + ": no session or no secret");
    }
    return new LinkResume(session, secret, received);
  }

  static long count(FieldMap take, String type) throws ProtocolException {
    if (take.peek("received") instanceof Integer || take.peek("received") instanceof Long) {
      long count = take.number("received");
      if (count >= 0) {
        return count;
      }
    }
    throw new ProtocolException(type + ": no count of received messages");
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeStringField("session", session);
    json.writeStringField("secret", secret);
    json.writeNumberField("received", received);
    json.writeEndObject();
  }

  @Override
  public String toString() {
    return "LinkResume[received=" + received + "]";
  }
}
