package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;

/** What an envelope carries (protocol 2.2). Immutable. */
public interface Payload {
  /** The envelope's {@code type}. */
  String type();

  /** Writes the payload as one JSON object. */
  void write(JsonGenerator json) throws IOException;
}
