package io.pipeops.hub.rest;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One operation.
 *
 * @param method the HTTP method
 * @param template the path; a segment in braces is an id
 * @param open whether it needs no token
 * @param action what it does
 */
record Route(String method, String template, boolean open, Action action) {
  /** What a route does; null as an answer means that it has answered already. */
  @FunctionalInterface
  interface Action {
    Answer handle(Call call) throws Problem, IOException, InterruptedException;
  }

  /** The ids in the path; empty if the path is another one. */
  Optional<Map<String, String>> match(List<String> segments) {
    List<String> wanted = List.of(template.substring(1).split("/"));
    if (wanted.size() != segments.size()) {
      return Optional.empty();
    }
    Map<String, String> ids = new HashMap<>();
    for (int i = 0; i < wanted.size(); i++) {
      String want = wanted.get(i);
      String segment = segments.get(i);
      if (want.startsWith("{")) {
        if (!Page.isId(segment)) {
          return Optional.empty();
        }
        ids.put(want.substring(1, want.length() - 1), segment);
      } else if (!want.equals(segment)) {
        return Optional.empty();
      }
    }
    return Optional.of(ids);
  }
}
