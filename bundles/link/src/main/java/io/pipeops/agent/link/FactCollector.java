package io.pipeops.agent.link;

import io.pipeops.agent.api.link.RegistrationFact;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Asks all {@link RegistrationFact}s at once and waits for them together, but not for long. */
final class FactCollector {
  private static final Logger log = LoggerFactory.getLogger(FactCollector.class);

  private final Supplier<List<RegistrationFact>> facts;
  private final Duration limit;
  private final Runnable late;

  /**
   * Collects from services.
   *
   * @param facts the services, later ones replacing what earlier ones say
   * @param limit for all together
   * @param late called when a fact answers after it was left out
   */
  FactCollector(Supplier<List<RegistrationFact>> facts, Duration limit, Runnable late) {
    this.facts = facts;
    this.limit = limit;
    this.late = late;
  }

  private record Question(String from, CompletableFuture<Map<String, Object>> answer) {}

  /** Questions that were put and not yet waited for. */
  final class Answers {
    private final List<Question> questions;
    private final long end = System.nanoTime() + limit.toNanos();

    private Answers(List<Question> questions) {
      this.questions = questions;
    }

    /** What came in time. */
    Map<String, Object> await() throws InterruptedException {
      Map<String, Object> merged = new LinkedHashMap<>();
      for (Question question : questions) {
        try {
          merge(
              merged,
              question.answer.get(Math.max(0, end - System.nanoTime()), TimeUnit.NANOSECONDS));
        } catch (TimeoutException e) {
          log.warn(
              "Registering without facts that did not come in time from={} limit={}",
              question.from,
              limit);
          question.answer.thenRun(late);
        } catch (ExecutionException e) {
          log.warn(
              "Registering without facts that failed from={} reason={}",
              question.from,
              Failures.describe(e));
        }
      }
      return merged;
    }
  }

  /** Puts the questions; returns at once. */
  Answers ask() {
    return new Answers(facts.get().stream().map(FactCollector::ask).toList());
  }

  private static Question ask(RegistrationFact fact) {
    CompletableFuture<Map<String, Object>> answer = new CompletableFuture<>();
    Thread.ofVirtual()
        .name("link-fact")
        .start(
            () -> {
              try {
                answer.complete(fact.facts());
              } catch (RuntimeException | LinkageError e) {
                answer.completeExceptionally(e);
              }
            });
    return new Question(fact.getClass().getName(), answer);
  }

  /** Adds the second to the first: fields replace, maps of the second level are merged. */
  static void merge(Map<String, Object> into, Map<String, ?> from) {
    if (from == null) {
      return;
    }
    from.forEach(
        (name, value) -> {
          if (value instanceof Map<?, ?> more && into.get(name) instanceof Map<?, ?> before) {
            Map<Object, Object> both = new LinkedHashMap<>(before);
            both.putAll(more);
            into.put(name, both);
          } else if (value != null) {
            into.put(name, value);
          }
        });
  }
}
