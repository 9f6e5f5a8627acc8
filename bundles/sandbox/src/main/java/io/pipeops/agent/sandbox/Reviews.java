package io.pipeops.agent.sandbox;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** Answers questions about who someone is and what he may do. Everyone may do everything here. */
final class Reviews {
  private final Tokens tokens;

  Reviews(Tokens tokens) {
    this.tokens = tokens;
  }

  void serve(Exchange exchange, Target target, String user) throws IOException {
    ObjectNode review = exchange.object();
    review.put("kind", target.type().kind()).put("apiVersion", target.type().apiVersion());
    ObjectNode meta = Json.meta(review);
    if (target.type().namespaced()) {
      meta.put("namespace", target.namespace());
    }
    ObjectNode status = review.putObject("status");
    switch (target.type().kind()) {
      case "SelfSubjectReview" -> status.set("userInfo", userInfo(user));
      case "TokenReview" -> {
        Optional<String> known = tokens.userOf(Json.text(review, "spec", "token"));
        status.put("authenticated", known.isPresent());
        known.ifPresent(name -> status.set("user", userInfo(name)));
      }
      case "SelfSubjectRulesReview" -> {
        ObjectNode rule = status.putArray("resourceRules").addObject();
        for (String field : List.of("verbs", "apiGroups", "resources")) {
          rule.putArray(field).add("*");
        }
        ObjectNode paths = status.putArray("nonResourceRules").addObject();
        paths.putArray("verbs").add("*");
        paths.putArray("nonResourceURLs").add("*");
        status.put("incomplete", false);
      }
      default -> status.put("allowed", true).put("reason", "the sandbox allows everything");
    }
    exchange.answer(201, review);
  }

  private static ObjectNode userInfo(String user) {
    ObjectNode info = Json.object().put("username", user);
    var groups = info.putArray("groups");
    if (user.equals(Tokens.ADMINISTRATOR)) {
      groups.add("system:masters");
    } else {
      groups.add("system:serviceaccounts");
    }
    groups.add("system:authenticated");
    return info;
  }
}
