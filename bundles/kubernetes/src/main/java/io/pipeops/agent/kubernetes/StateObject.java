package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.ApiCalls.Answer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * One ConfigMap or Secret that belongs to the agent. Writes replace the keys they are given and
 * leave everything else in the object as it is. One thread at a time.
 */
final class StateObject {
  private static final int ATTEMPTS = 5;
  private static final String JSON = "application/json";

  private final ApiClient api;
  private final boolean secret;
  private final String namespace;
  private final String name;
  private Map<String, Object> object;

  StateObject(ApiClient api, boolean secret, String namespace, String name) {
    this.api = api;
    this.secret = secret;
    this.namespace = namespace;
    this.name = name;
  }

  /** Reads the object; afterwards {@link #data} says what it holds. */
  void read(Duration limit) throws IOException, InterruptedException {
    Answer answer = api.get(collection() + "/" + name, JSON, limit);
    if (answer.status() == 404) {
      object = null;
      return;
    }
    object = accept(answer, "read");
  }

  /** The known keys as text; empty if the object does not exist. */
  Map<String, String> data() {
    Map<String, String> data = new LinkedHashMap<>();
    if (object != null) {
      Json.child(object, "data")
          .forEach((key, value) -> data.put(key, value instanceof String text ? plain(text) : ""));
    }
    return data;
  }

  /** Writes the keys unless the object has them already, and wins against other writers. */
  void write(Map<String, String> wanted, Duration limit) throws IOException, InterruptedException {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (object != null && holds(wanted)) {
        return;
      }
      Answer answer =
          object == null
              ? api.send("POST", collection(), Json.write(fresh(wanted)), limit)
              : api.send("PUT", collection() + "/" + name, Json.write(changed(wanted)), limit);
      if (answer.status() == 404 && object == null) {
        createNamespace(limit);
      } else if (answer.status() == 404 || answer.status() == 409 || answer.status() == 410) {
        read(limit);
      } else {
        object = accept(answer, "write");
        return;
      }
    }
    throw new IOException("cannot write " + this + ": others keep changing it");
  }

  private boolean holds(Map<String, String> wanted) {
    Map<String, String> data = data();
    return wanted.entrySet().stream()
        .allMatch(entry -> entry.getValue().equals(data.getOrDefault(entry.getKey(), "")));
  }

  private Map<String, Object> fresh(Map<String, String> wanted) {
    Map<String, Object> made = new LinkedHashMap<>();
    made.put("apiVersion", "v1");
    made.put("kind", secret ? "Secret" : "ConfigMap");
    Map<String, Object> metadata = Json.grow(made, "metadata");
    metadata.put("name", name);
    metadata.put("namespace", namespace);
    Map<String, Object> labels = Json.grow(metadata, "labels");
    labels.put("app.kubernetes.io/name", "pipeops-agent");
    labels.put("app.kubernetes.io/component", secret ? "secrets" : "state");
    labels.put("app.kubernetes.io/managed-by", "pipeops-agent");
    if (secret) {
      made.put("type", "Opaque");
    }
    put(made, wanted);
    return made;
  }

  private Map<String, Object> changed(Map<String, String> wanted) {
    Map<String, Object> copy = new LinkedHashMap<>(object);
    Map<String, Object> metadata = new LinkedHashMap<>(Json.child(object, "metadata"));
    metadata.remove("managedFields");
    copy.put("metadata", metadata);
    copy.put("data", new LinkedHashMap<>(Json.child(object, "data")));
    put(copy, wanted);
    return copy;
  }

  private void put(Map<String, Object> target, Map<String, String> wanted) {
    Map<String, Object> data = Json.grow(target, "data");
    wanted.forEach((key, value) -> data.put(key, secret ? encoded(value) : value));
  }

  private void createNamespace(Duration limit) throws IOException, InterruptedException {
    Map<String, Object> made = new LinkedHashMap<>();
    made.put("apiVersion", "v1");
    made.put("kind", "Namespace");
    Json.grow(made, "metadata").put("name", namespace);
    Answer answer = api.send("POST", "/api/v1/namespaces", Json.write(made), limit);
    if (answer.status() != 409) {
      accept(answer, "create the namespace for");
    }
  }

  private Map<String, Object> accept(Answer answer, String verb) throws IOException {
    if (answer.ok()) {
      return Json.read(answer.body());
    }
    String detail = "";
    try {
      detail = Json.text(Json.read(answer.body()), "message").replaceAll("[\\r\\n]+", " ");
    } catch (IOException e) {
      detail = "";
    }
    throw new RefusedException(
        answer.status(),
        "cannot %s %s: %d %s".formatted(verb, this, answer.status(), detail).trim());
  }

  private String collection() {
    return "/api/v1/namespaces/" + namespace + (secret ? "/secrets" : "/configmaps");
  }

  private String plain(String stored) {
    if (!secret) {
      return stored;
    }
    try {
      return new String(Base64.getDecoder().decode(stored), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      return "";
    }
  }

  private static String encoded(String plain) {
    return Base64.getEncoder().encodeToString(plain.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public String toString() {
    return (secret ? "Secret " : "ConfigMap ") + namespace + "/" + name;
  }

  /** The server answered, but not with what was asked for. */
  static final class RefusedException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int status;

    RefusedException(int status, String message) {
      super(message);
      this.status = status;
    }

    /** Whether it is not permitted, or there is no such thing to ask for. */
    boolean forbids() {
      return status == 403 || status == 404 || status == 405;
    }

    /** Whether asking again at once is in vain. */
    boolean lasting() {
      return status < 500 && status != 429;
    }
  }
}
