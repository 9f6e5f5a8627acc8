package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.OutputStream;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.function.Predicate;
import org.eclipse.jetty.http.HttpHeader;

/**
 * Answers {@code watch}: one line of JSON for each event. A watch keeps no queue; it reads the
 * store's history from where it stands, and ends with 410 if it has fallen behind that.
 */
final class Watches {
  static final int MAX_WATCHES = 500;
  private static final Duration BOOKMARK = Duration.ofSeconds(30);
  private static final long DEFAULT_SECONDS = 1800;
  private static final String INITIAL_END = "k8s.io/initial-events-end";

  private final ObjectStore store;
  private final TableRenderer tables;
  private final Semaphore free = new Semaphore(MAX_WATCHES);

  Watches(ObjectStore store, TableRenderer tables) {
    this.store = store;
    this.tables = tables;
  }

  int open() {
    return MAX_WATCHES - free.availablePermits();
  }

  void watch(Exchange exchange, Target target) throws IOException, InterruptedException {
    // Whoever asks for a WebSocket first is told that there is none, and waits for the end of that
    // answer before it comes by plain HTTP; a failure would only be tried again for 20 seconds.
    if (!exchange.header(HttpHeader.UPGRADE).isEmpty()) {
      exchange.answer(200, "application/json", new byte[0]);
      return;
    }
    if (!free.tryAcquire()) {
      throw ApiException.tooManyRequests("%d watches are open".formatted(MAX_WATCHES));
    }
    try {
      new Watch(exchange, target).run();
    } finally {
      free.release();
    }
  }

  private final class Watch {
    private final Exchange exchange;
    private final Target target;
    private final Predicate<JsonNode> chosen;
    private final boolean bookmarks;
    private final Accept accept;
    private final long end;
    private OutputStream out;

    Watch(Exchange exchange, Target target) {
      this.exchange = exchange;
      this.target = target;
      Predicate<JsonNode> selected = Reads.choice(exchange, target).predicate();
      Predicate<JsonNode> inNamespace =
          o -> target.namespace().isEmpty() || Json.namespace(o).equals(target.namespace());
      Predicate<JsonNode> named =
          o -> target.name().isEmpty() || Json.name(o).equals(target.name());
      this.chosen = inNamespace.and(named).and(selected);
      this.bookmarks = exchange.flag("allowWatchBookmarks");
      this.accept = exchange.accept();
      long seconds = exchange.number("timeoutSeconds", DEFAULT_SECONDS);
      this.end = System.nanoTime() + Duration.ofSeconds(Math.min(seconds, 7200)).toNanos();
    }

    void run() throws IOException, InterruptedException {
      long from = exchange.number("resourceVersion", 0);
      boolean initial = exchange.flag("sendInitialEvents");
      List<ObjectNode> present = List.of();
      if (from == 0 || initial) {
        ObjectStore.Listing listing = store.list(target.type(), target.namespace());
        present = exchange.query("sendInitialEvents").equals("false") ? List.of() : listing.items();
        from = listing.version();
      } else if (from > store.version()) {
        throw ApiException.badRequest(
            "resource version %d is not there yet, the newest is %d"
                .formatted(from, store.version()));
      }
      out = exchange.stream("application/json");
      for (ObjectNode object : present) {
        if (chosen.test(object)) {
          write("ADDED", object);
        }
      }
      if (initial) {
        bookmark(from, true);
      }
      out.flush();
      try {
        follow(from);
      } catch (ApiException tooOld) {
        send(Json.object().put("type", "ERROR").set("object", tooOld.status()));
      }
      out.close();
      exchange.end();
    }

    private void follow(long from) throws IOException, InterruptedException {
      long at = from;
      while (!store.closed()) {
        Duration left = Duration.ofNanos(end - System.nanoTime());
        if (left.isNegative()) {
          return;
        }
        Duration limit = left.compareTo(BOOKMARK) < 0 ? left : BOOKMARK;
        List<ObjectStore.Change> changes = store.changesAfter(at, limit);
        for (ObjectStore.Change change : changes) {
          at = change.version();
          if (change.type().equals(target.type())) {
            event(change);
          }
        }
        if (changes.isEmpty() && bookmarks) {
          bookmark(at, false);
        }
        out.flush();
      }
    }

    /** An object that a change brings into the choice is added for this watch, and vice versa. */
    private void event(ObjectStore.Change change) throws IOException {
      boolean was = change.before() != null && chosen.test(change.before());
      boolean is = change.after() != null && chosen.test(change.after());
      if (is) {
        write(was ? "MODIFIED" : "ADDED", change.after());
      } else if (was || (change.after() == null && chosen.test(change.before()))) {
        ObjectNode last = change.before().deepCopy();
        Json.meta(last).put("resourceVersion", Long.toString(change.version()));
        write("DELETED", last);
      }
    }

    private void write(String type, ObjectNode object) throws IOException {
      JsonNode form = object;
      if (accept.table()) {
        form =
            tables.render(
                target.type(),
                List.of(object),
                Reads.listMeta(Json.version(object)),
                exchange.query("includeObject"));
      } else if (accept.metadataOnly()) {
        form = TableRenderer.metadata(object);
      }
      send(Json.object().put("type", type).set("object", form));
    }

    private void bookmark(long version, boolean initialEnd) throws IOException {
      ObjectNode object = Json.object();
      object.put("kind", target.type().kind()).put("apiVersion", target.type().apiVersion());
      ObjectNode meta = Json.meta(object).put("resourceVersion", Long.toString(version));
      if (initialEnd) {
        meta.putObject("annotations").put(INITIAL_END, "true");
      }
      JsonNode form = object;
      if (accept.table()) {
        form = tables.render(target.type(), List.of(object), Reads.listMeta(version), "Metadata");
      } else if (accept.metadataOnly()) {
        form = TableRenderer.metadata(object);
      }
      send(Json.object().put("type", "BOOKMARK").set("object", form));
    }

    private void send(JsonNode line) throws IOException {
      out.write(Json.bytes(line));
      out.write('\n');
    }
  }
}
