package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.ApiCalls.Answer;
import io.pipeops.agent.api.kubernetes.PodEvents;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes events (core/v1) about the pod that the agent runs in. Which one that is, the pod says by
 * {@code POD_NAME} and {@code POD_UID}; without the first nothing is written, without the second
 * {@code kubectl describe pod} does not find it, but {@code kubectl get events} does.
 */
@Component
public final class PodEventRecorder implements PodEvents {
  private static final Logger log = LoggerFactory.getLogger(PodEventRecorder.class);
  private static final Duration LIMIT = Duration.ofSeconds(5);
  private static final long AGAIN_NANOS = Duration.ofMinutes(10).toNanos();
  private static final int LONGEST_MESSAGE = 1024;
  private static final int MOST_REMEMBERED = 32;

  private final ClusterAccess access;
  private final String pod;
  private final String uid;
  private final Map<String, Long> told = new LinkedHashMap<>();

  @Activate
  public PodEventRecorder(@Reference ClusterAccess access) {
    this(access, System.getenv());
  }

  PodEventRecorder(ClusterAccess access, Map<String, String> environment) {
    this.access = access;
    this.pod = environment.getOrDefault("POD_NAME", "").trim();
    this.uid = environment.getOrDefault("POD_UID", "").trim();
  }

  @Override
  public void warn(String reason, String message) {
    Optional<ApiClient> api = access.client();
    if (pod.isEmpty() || api.isEmpty()) {
      log.debug("No pod or no cluster to tell of: {}", reason);
      return;
    }
    String text =
        message.length() > LONGEST_MESSAGE
            ? message.substring(0, LONGEST_MESSAGE - 1) + "…"
            : message;
    if (fresh(reason + "\n" + text)) {
      String namespace = access.server().orElseThrow().namespace();
      Thread.ofVirtual()
          .name("kubernetes-event")
          .start(() -> write(api.get(), namespace, reason, text));
    }
  }

  private synchronized boolean fresh(String what) {
    long now = System.nanoTime();
    Long before = told.get(what);
    if (before != null && now - before < AGAIN_NANOS) {
      return false;
    }
    told.remove(what);
    told.put(what, now);
    Iterator<String> oldest = told.keySet().iterator();
    while (told.size() > MOST_REMEMBERED) {
      oldest.next();
      oldest.remove();
    }
    return true;
  }

  private void write(ApiClient api, String namespace, String reason, String message) {
    try {
      Answer answer =
          api.send(
              "POST",
              "/api/v1/namespaces/" + namespace + "/events",
              Json.write(event(namespace, reason, message)),
              LIMIT);
      if (!answer.ok()) {
        log.debug("The event is not recorded reason={} status={}", reason, answer.status());
      }
    } catch (IOException e) {
      log.debug("The event is not recorded reason={} cause={}", reason, e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Map<String, Object> event(String namespace, String reason, String message) {
    String now = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString();
    Map<String, Object> event = new LinkedHashMap<>();
    event.put("apiVersion", "v1");
    event.put("kind", "Event");
    Map<String, Object> metadata = Json.grow(event, "metadata");
    metadata.put(
        "name", pod + "." + Long.toHexString(ThreadLocalRandom.current().nextLong(1L << 60)));
    metadata.put("namespace", namespace);
    Map<String, Object> about = Json.grow(event, "involvedObject");
    about.put("apiVersion", "v1");
    about.put("kind", "Pod");
    about.put("name", pod);
    about.put("namespace", namespace);
    if (!uid.isEmpty()) {
      about.put("uid", uid);
    }
    event.put("type", "Warning");
    event.put("reason", reason);
    event.put("message", message);
    event.put("count", 1);
    event.put("firstTimestamp", now);
    event.put("lastTimestamp", now);
    Json.grow(event, "source").put("component", "pipeops-agent");
    event.put("reportingComponent", "pipeops.io/agent");
    event.put("reportingInstance", pod);
    return event;
  }
}
