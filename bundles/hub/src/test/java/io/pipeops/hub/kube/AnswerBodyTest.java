package io.pipeops.hub.kube;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What goes on for long, as the API server reads a query. */
class AnswerBodyTest {
  @ParameterizedTest
  @ValueSource(
      strings = {"watch", "watch=", "watch=1", "watch=true", "a=b&watch=True", "follow=true&c=d"})
  void goesOn(String query) {
    assertTrue(AnswerBody.lasting(query));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "watch=0", "watch=false", "follow=False", "watching=1", "a=watch", "&", "=1"})
  void ends(String query) {
    assertFalse(AnswerBody.lasting(query));
  }

  @Test
  void noQueryEnds() {
    assertFalse(AnswerBody.lasting(null));
  }
}
