package io.pipeops.agent.protocol;

import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.agent.api.link.JsonText;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;

/**
 * What the gateway can do (protocol 2.5.6). Historic fields may hold a session token, so the text
 * form leaves the extra fields out.
 *
 * @param maxStreamWindowSize bytes, at least {@link #DEFAULT_WINDOW}
 * @param extra all further fields, with JSON-like values
 */
public record GatewayHello(
    boolean useYamux,
    int maxStreamWindowSize,
    Duration keepAliveInterval,
    Duration connectionTimeout,
    Map<String, Object> extra)
    implements Payload {
  public static final String TYPE = "gateway_hello";

  /** The window of a yamux stream that need not be announced. */
  public static final int DEFAULT_WINDOW = 256 << 10;

  /** A larger window than this is not granted, whatever the gateway offers. */
  public static final int MAX_WINDOW = 16 << 20;

  private static final Duration DEFAULT_TIME = Duration.ofSeconds(30);
  private static final Duration MAX_TIME = Duration.ofHours(1);

  /**
   * Parses the payload. Values that are missing, of the wrong type or not positive become the
   * defaults; the window and the times are kept within sensible bounds.
   *
   * @throws ProtocolException if it is not a JSON object
   */
  public static GatewayHello parse(JsonText payload) throws ProtocolException {
    FieldMap take = new FieldMap(Json.object(payload, TYPE));
    boolean useYamux = take.bool("use_yamux");
    FieldMap config = new FieldMap(take.object("yamux_config"));
    long window = config.number("max_stream_window_size");
    return new GatewayHello(
        useYamux,
        (int) Math.clamp(window, (long) DEFAULT_WINDOW, (long) MAX_WINDOW),
        config.time("keep_alive_interval", DEFAULT_TIME, MAX_TIME),
        config.time("connection_timeout", DEFAULT_TIME, MAX_TIME),
        take.rest());
  }

  @Override
  public String type() {
    return TYPE;
  }

  @Override
  public void write(JsonGenerator json) throws IOException {
    json.writeStartObject();
    json.writeBooleanField("use_yamux", useYamux);
    if (useYamux) {
      json.writeObjectFieldStart("yamux_config");
      json.writeNumberField("max_stream_window_size", maxStreamWindowSize);
      json.writeNumberField("keep_alive_interval_seconds", seconds(keepAliveInterval));
      json.writeNumberField("connection_timeout_seconds", seconds(connectionTimeout));
      json.writeEndObject();
    }
    Json.putAll(json, extra);
    json.writeEndObject();
  }

  private static long seconds(Duration time) {
    return Math.max(1, time.toSeconds());
  }

  @Override
  public String toString() {
    return "GatewayHello[useYamux="
        + useYamux
        + ", maxStreamWindowSize="
        + maxStreamWindowSize
        + ", keepAliveInterval="
        + keepAliveInterval
        + ", connectionTimeout="
        + connectionTimeout
        + "]";
  }
}
