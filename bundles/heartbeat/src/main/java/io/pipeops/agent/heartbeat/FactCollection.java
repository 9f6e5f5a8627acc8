package io.pipeops.agent.heartbeat;

import io.pipeops.agent.api.heartbeat.HeartbeatFact;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts the facts together. A fact that throws is left out; one that does not return is left out
 * too, and not called again before it has, so that it can never hold up a heartbeat or pile up
 * threads. Used by one thread.
 */
final class FactCollection {
  private static final Logger log = LoggerFactory.getLogger(FactCollection.class);

  private final Duration limit;
  private final Map<HeartbeatFact, CompletableFuture<Map<String, Object>>> running =
      new WeakHashMap<>();

  FactCollection(Duration limit) {
    this.limit = limit;
  }

  /** Adds the facts to the fields; later ones win, {@code metadata} is merged key by key. */
  void collect(List<HeartbeatFact> facts, Map<String, Object> fields, Map<String, Object> metadata)
      throws InterruptedException {
    List<CompletableFuture<Map<String, Object>>> answers = new ArrayList<>();
    for (HeartbeatFact fact : facts) {
      CompletableFuture<Map<String, Object>> answer = running.get(fact);
      if (answer == null || answer.isDone()) {
        answer = start(fact);
        running.put(fact, answer);
      }
      answers.add(answer);
    }
    long end = System.nanoTime() + limit.toNanos();
    for (int i = 0; i < answers.size(); i++) {
      try {
        add(
            answers.get(i).get(Math.max(end - System.nanoTime(), 0), TimeUnit.NANOSECONDS),
            fields,
            metadata);
      } catch (TimeoutException e) {
        log.warn("Heartbeat goes without fact={}: no answer", name(facts.get(i)));
      } catch (ExecutionException e) {
        log.debug("Heartbeat goes without fact={}: {}", name(facts.get(i)), e.toString());
      }
    }
  }

  private static CompletableFuture<Map<String, Object>> start(HeartbeatFact fact) {
    CompletableFuture<Map<String, Object>> answer = new CompletableFuture<>();
    Thread.ofVirtual()
        .name("heartbeat-fact")
        .start(
            () -> {
              try {
                answer.complete(fact.facts());
              } catch (RuntimeException | LinkageError e) {
                answer.completeExceptionally(e);
              }
            });
    return answer;
  }

  private static void add(
      Map<String, Object> facts, Map<String, Object> fields, Map<String, Object> metadata) {
    if (facts == null) {
      return;
    }
    Map<String, Object> copy = new LinkedHashMap<>(facts);
    if (copy.remove("metadata") instanceof Map<?, ?> more) {
      more.forEach((key, value) -> metadata.put(String.valueOf(key), value));
    }
    fields.putAll(copy);
  }

  private static String name(HeartbeatFact fact) {
    return fact.getClass().getName();
  }
}
