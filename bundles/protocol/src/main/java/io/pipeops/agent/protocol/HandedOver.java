package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;

/**
 * Says that a newer leader of the same agent serves the cluster now: no new stream comes on this
 * connection, and the peer closes it when those that are open have ended. Only a peer that promised
 * it with {@link #OFFER} in its {@code register_success} sends it. Not part of the existing
 * protocol.
 */
public record HandedOver(String reason) implements Payload {
  public static final String TYPE = "handed_over";

  /** Field of {@code register_success}: true if the peer takes a connection over from another. */
  public static final String OFFER = "hand_over";

  /** Key of the registration's metadata: the lease that elected the agent. */
  public static final String LEASE = "leader_lease";

  /** Key of the registration's metadata: grows from one leader of a lease to the next. */
  public static final String TERM = "leader_term";

  /** Header of the upgrade at a gateway, where nothing is registered: the lease. */
  public static final String LEASE_HEADER = "X-Pipeops-Leader-Lease";

  /** Header of the upgrade at a gateway: the term. */
  public static final String TERM_HEADER = "X-Pipeops-Leader-Term";

  /**
   * Parses the payload; fields of the wrong type count as missing.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static HandedOver parse(JsonText payload) throws ProtocolException {
    String reason = "";
    JsonFields in = new JsonFields(payload, TYPE);
    while (in.next()) {
      switch (in.name()) {
        case "reason" -> reason = in.text();
        default -> {}
      }
    }
    return new HandedOver(reason);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    Json.put(json, "reason", reason);
    json.writeEndObject();
  }
}
