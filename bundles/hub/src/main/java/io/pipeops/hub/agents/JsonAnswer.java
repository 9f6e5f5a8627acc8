package io.pipeops.hub.agents;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;

/** A short refusal as JSON: {@code {"error":"…"}}. */
public final class JsonAnswer {
  private JsonAnswer() {}

  /** Answers and completes the callback. */
  public static void send(Response response, Callback callback, int status, String error) {
    byte[] body =
        ("{\"error\":\""
                + new String(JsonStringEncoder.getInstance().quoteAsString(error))
                + "\"}\n")
            .getBytes(StandardCharsets.UTF_8);
    response.setStatus(status);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/json");
    response.getHeaders().put(HttpHeader.CONTENT_LENGTH, body.length);
    response.write(true, ByteBuffer.wrap(body), callback);
  }
}
