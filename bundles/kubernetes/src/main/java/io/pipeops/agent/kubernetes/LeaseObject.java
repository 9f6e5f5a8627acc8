package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.ApiCalls.Answer;
import io.pipeops.agent.kubernetes.StateObject.RefusedException;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/** The Lease in the cluster. Writes happen only over the state that was read last. */
final class LeaseObject {
  private static final String JSON = "application/json";

  private final ApiClient api;
  private final String namespace;
  private final String name;

  LeaseObject(ApiClient api, String namespace, String name) {
    this.api = api;
    this.namespace = namespace;
    this.name = name;
  }

  /** What it is called in the cluster. */
  String key() {
    return namespace + "/" + name;
  }

  String namespace() {
    return namespace;
  }

  /** Reads it; empty if there is none. */
  Optional<LeaseRecord> read(Duration limit) throws IOException, InterruptedException {
    Answer answer = api.get(collection() + "/" + name, JSON, limit);
    return answer.status() == 404 && namesObject(answer)
        ? Optional.empty()
        : Optional.of(accept(answer, "read"));
  }

  /** A server that does not know leases at all also answers 404, but not with a Status of one. */
  private static boolean namesObject(Answer answer) {
    try {
      return Json.text(Json.read(answer.body()), "reason").equals("NotFound");
    } catch (IOException e) {
      return false;
    }
  }

  /** Makes it; empty if somebody else was faster. */
  Optional<LeaseRecord> create(Map<String, Object> object, Duration limit)
      throws IOException, InterruptedException {
    Answer answer = api.send("POST", collection(), Json.write(object), limit);
    if (answer.status() == 404 && namesObject(answer)) {
      // The state's writer makes it.
      throw new IOException("namespace " + namespace + " does not exist yet");
    }
    return answer.status() == 409 ? Optional.empty() : Optional.of(accept(answer, "create"));
  }

  /** Replaces it; empty if it has been changed or deleted since it was read. */
  Optional<LeaseRecord> replace(Map<String, Object> object, Duration limit)
      throws IOException, InterruptedException {
    Answer answer = api.send("PUT", collection() + "/" + name, Json.write(object), limit);
    return answer.status() == 409 || answer.status() == 404 && namesObject(answer)
        ? Optional.empty()
        : Optional.of(accept(answer, "write"));
  }

  /**
   * Follows it from a state on.
   *
   * @param seconds how long the server is to keep the watch
   */
  LeaseWatch watch(String version, int seconds, LeaseWatch.Observer observer) throws IOException {
    String path =
        collection()
            + "?watch=1&fieldSelector=metadata.name%3D"
            + name
            + "&resourceVersion="
            + version
            + "&timeoutSeconds="
            + seconds;
    LeaseWatch watch = new LeaseWatch(toString(), observer);
    watch.begin(api.stream(path, Duration.ofSeconds(seconds + 30L), watch));
    return watch;
  }

  private LeaseRecord accept(Answer answer, String verb) throws IOException {
    if (answer.ok()) {
      return new LeaseRecord(Json.read(answer.body()));
    }
    String detail = "";
    try {
      detail = Json.text(Json.read(answer.body()), "message").replaceAll("\\p{Cntrl}+", " ");
    } catch (IOException e) {
      detail = "";
    }
    throw new RefusedException(
        answer.status(),
        "cannot %s %s: %d %s".formatted(verb, this, answer.status(), detail).trim());
  }

  private String collection() {
    return "/apis/coordination.k8s.io/v1/namespaces/" + namespace + "/leases";
  }

  @Override
  public String toString() {
    return "Lease " + key();
  }
}
