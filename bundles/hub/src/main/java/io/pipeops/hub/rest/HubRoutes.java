package io.pipeops.hub.rest;

import io.pipeops.hub.store.EventFeed;
import io.pipeops.hub.store.HubStore;
import io.pipeops.hub.store.LoggedEvent;
import io.pipeops.hub.store.StoreUnavailableException;
import java.io.IOException;
import java.io.InputStream;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The hub itself: description, health, state, events. */
final class HubRoutes {
  private final HubStore store;
  private final LiveSessions sessions;
  private final RestSettings settings;
  private final long started = System.nanoTime();
  private final Instant since = Instant.now();

  HubRoutes(HubStore store, LiveSessions sessions, RestSettings settings) {
    this.store = store;
    this.sessions = sessions;
    this.settings = settings;
  }

  List<Route> routes() {
    return List.of(
        new Route("GET", "/healthz", true, this::health),
        new Route("GET", "/readyz", true, this::ready),
        new Route("GET", "/openapi.json", true, this::description),
        new Route("GET", "/api/v1/state", false, this::state),
        new Route("GET", "/api/v1/events", false, this::events),
        new Route("GET", "/api/v1/log", false, this::log));
  }

  private Answer health(Call call) {
    return Answer.json(
        200,
        json -> {
          json.writeStartObject();
          json.writeStringField("status", "healthy");
          json.writeEndObject();
        });
  }

  private Answer ready(Call call) throws Problem {
    try {
      store.check();
    } catch (StoreUnavailableException e) {
      // Without a token nobody is told which database it is.
      throw Problem.unavailable("The database does not answer");
    }
    return Answer.json(
        200,
        json -> {
          json.writeStartObject();
          json.writeStringField("status", "ready");
          json.writeEndObject();
        });
  }

  private Answer description(Call call) throws IOException {
    try (InputStream resource = HubRoutes.class.getResourceAsStream("openapi.json")) {
      if (resource == null) {
        throw new IllegalStateException("The bundle lacks openapi.json");
      }
      return new Answer(200, "application/json", resource.readAllBytes(), Map.of());
    }
  }

  private Answer state(Call call) throws Problem {
    call.query(Set.of());
    boolean database = databaseWorks();
    int agents = sessions.count();
    Duration uptime = Duration.ofNanos(System.nanoTime() - started);
    return Answer.json(
        200,
        json -> {
          json.writeStartObject();
          json.writeStringField("version", settings.version());
          json.writeStringField("started", since.toString());
          json.writeNumberField("uptime_seconds", uptime.toSeconds());
          json.writeNumberField("agents_connected", agents);
          json.writeNumberField("event_watchers", store.events().watchers());
          json.writeObjectFieldStart("database");
          json.writeStringField("kind", store.databaseKind());
          json.writeBooleanField("available", database);
          json.writeEndObject();
          json.writeEndObject();
        });
  }

  private boolean databaseWorks() {
    try {
      store.check();
      return true;
    } catch (StoreUnavailableException e) {
      return false;
    }
  }

  private Answer events(Call call) throws Problem, IOException, InterruptedException {
    EventQuery wanted = EventQuery.of(call);
    EventFeed.Subscription subscription;
    try {
      subscription = store.events().subscribe(wanted.since());
    } catch (IllegalStateException e) {
      throw new Problem(
          503,
          "too-many-watchers",
          "Events cannot be watched now",
          e.getMessage(),
          "Close other watchers, or try again later");
    }
    try (subscription) {
      new EventStream(call.response(), wanted).run(subscription);
    }
    return null;
  }

  private Answer log(Call call) throws Problem {
    Map<String, String> query = call.query(Set.of("limit", "before"));
    String before = query.getOrDefault("before", Long.toString(Long.MAX_VALUE));
    if (!before.matches("[0-9]{1,18}|" + Long.MAX_VALUE)) {
      throw Problem.badRequest(
          "before is not a place in the log",
          "Give the value of next from the page before, or leave it out");
    }
    int limit = Page.limit(query);
    return new Page(limit, before)
        .answer(
            store.loggedEvents(Long.parseLong(before), limit),
            event -> Long.toString(event.id()),
            HubRoutes::write);
  }

  private static void write(com.fasterxml.jackson.core.JsonGenerator json, LoggedEvent event)
      throws IOException {
    json.writeStartObject();
    json.writeNumberField("id", event.id());
    json.writeStringField("at", event.at().toString());
    json.writeStringField("type", event.type());
    json.writeStringField("cluster_id", event.clusterId());
    json.writeStringField("detail", event.detail());
    json.writeEndObject();
  }
}
