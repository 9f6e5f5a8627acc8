package io.pipeops.hub.rest;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.pipeops.hub.store.EventFeed;
import io.pipeops.hub.store.HeartbeatSummary;
import io.pipeops.hub.store.HubEvent;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Response;

/** Server-sent events to one watcher, until it leaves, is too slow, or the hub stops. */
final class EventStream {
  private static final JsonFactory JSON = new JsonFactory();
  private static final Duration KEEP_ALIVE = Duration.ofSeconds(15);

  private final Response response;
  private final EventQuery wanted;

  EventStream(Response response, EventQuery wanted) {
    this.response = response;
    this.wanted = wanted;
  }

  void run(EventFeed.Subscription subscription) throws IOException, InterruptedException {
    response.setStatus(200);
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, "text/event-stream; charset=utf-8");
    response.getHeaders().put(HttpHeader.CACHE_CONTROL, "no-store");
    // Proxies that buffer would hold events back.
    response.getHeaders().put("X-Accel-Buffering", "no");
    try {
      write(": events of the hub\nretry: 2000\n\n");
      while (!subscription.over()) {
        HubEvent event = subscription.next(KEEP_ALIVE);
        if (event != null && wanted.wants(event)) {
          write(text(event));
        } else if (event == null && !subscription.over()) {
          write(": alive\n\n");
        }
      }
      Content.Sink.write(response, true, ByteBuffer.allocate(0));
    } catch (IOException e) {
      // The watcher left: that is how every stream ends.
      return;
    }
  }

  private void write(String text) throws IOException {
    Content.Sink.write(response, false, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static String text(HubEvent event) {
    return "id: %d\nevent: %s\ndata: %s\n\n".formatted(event.number(), event.type(), json(event));
  }

  private static String json(HubEvent event) {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = JSON.createGenerator(text)) {
      json.writeStartObject();
      json.writeStringField("type", event.type());
      json.writeStringField("at", event.at().toString());
      json.writeStringField("cluster_id", event.clusterId());
      json.writeStringField("cluster_name", event.clusterName());
      json.writeStringField("detail", event.detail());
      HeartbeatSummary heartbeat = event.heartbeat();
      if (heartbeat != HeartbeatSummary.NONE) {
        ClusterRoutes.writeSummary(json, heartbeat);
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return text.toString();
  }
}
