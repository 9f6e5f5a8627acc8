package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.ApiCalls.Answer;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** Asks the API server what a token may do: a SelfSubjectAccessReview made with that token. */
final class TokenReview {
  private static final String PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

  private TokenReview() {}

  /**
   * Whether the token may create namespaces.
   *
   * @throws IOException if the server gives no answer to that
   */
  static boolean mayManage(ApiClient api, String token, Duration limit)
      throws IOException, InterruptedException {
    Map<String, Object> review = new LinkedHashMap<>();
    review.put("apiVersion", "authorization.k8s.io/v1");
    review.put("kind", "SelfSubjectAccessReview");
    Map<String, Object> attributes = Json.grow(Json.grow(review, "spec"), "resourceAttributes");
    attributes.put("verb", "create");
    attributes.put("resource", "namespaces");
    Answer answer =
        api.call("POST", PATH, "application/json", Json.write(review), Optional.of(token), limit);
    if (answer.status() == 401 || answer.status() == 403) {
      return false;
    }
    if (!answer.ok()) {
      throw new IOException("API server answers " + answer.status() + " to an access review");
    }
    Object allowed = Json.child(Json.read(answer.body()), "status").get("allowed");
    return Boolean.TRUE.equals(allowed);
  }
}
