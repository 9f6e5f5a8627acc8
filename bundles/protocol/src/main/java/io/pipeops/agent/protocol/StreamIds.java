package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * What one side holds to be alive on the connection, so that the other finds what only it still
 * holds (extension {@link Extensions#STREAM_IDS}). Whoever gets one that is no answer answers with
 * its own.
 *
 * @param answer whether it answers one of the other side
 * @param requests ids of requests, as of protocol 0.3
 * @param streams numbers of yamux streams, unsigned
 */
public record StreamIds(boolean answer, List<String> requests, List<Long> streams)
    implements Payload {
  public static final String TYPE = "stream_ids";

  /**
   * Parses the payload; items of the wrong type are left out.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static StreamIds parse(JsonText payload) throws ProtocolException {
    FieldMap take = new FieldMap(Json.object(payload, TYPE));
    boolean answer = take.bool("answer");
    List<String> requests = take.texts("requests");
    List<Long> streams = new ArrayList<>();
    if (take.rest().get("streams") instanceof List<?> list) {
      for (Object item : list) {
        if (item instanceof Number number) {
          streams.add(number.longValue());
        }
      }
    }
    return new StreamIds(answer, requests, streams);
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeBooleanField("answer", answer);
    json.writeFieldName("requests");
    Json.write(json, requests);
    json.writeFieldName("streams");
    Json.write(json, streams);
    json.writeEndObject();
  }
}
