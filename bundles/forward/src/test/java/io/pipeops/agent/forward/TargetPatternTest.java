package io.pipeops.agent.forward;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TargetPatternTest {
  @ParameterizedTest
  @CsvSource({
    "*, pg, db, 5432, true",
    "*.*:*, pg, db, 1, true",
    "pg.db:5432, pg, db, 5432, true",
    "pg.db:5432, pg, db, 5433, false",
    "pg.db:5432, pgx, db, 5432, false",
    "pg*.db:*, pg-main, db, 1, true",
    "*-main.*:5000-6000, pg-main, db, 5432, true",
    "*-main.*:5000-6000, pg-main, db, 6001, false",
    "a*b*c.x:*, abbbc, x, 1, true",
    "a*b*c.x:*, abbb, x, 1, false",
    "nonsense, nonsense, x, 1, false",
    "a.b:0, a, b, 0, false",
    "a.b:70000, a, b, 70000, false",
    "a.b:9-8, a, b, 8, false",
    "a.b:x, a, b, 8, false",
  })
  void matches(String pattern, String service, String namespace, int port, boolean expected) {
    assertEquals(expected, TargetPattern.parse(pattern).matches(service, namespace, port));
  }
}
