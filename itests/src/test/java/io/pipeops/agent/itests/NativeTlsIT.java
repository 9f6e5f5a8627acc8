package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whose TLS the agent speaks; the hub's is Java's. */
class NativeTlsIT {
  private static final String LIBRARY = "/lib/native/libconscrypt_openjdk_jni";

  @TempDir static Path dir;
  static Spine spine;

  @BeforeAll
  static void start() throws Exception {
    spine = Spine.prepared(dir);
    spine.startCluster();
    spine.startHub();
  }

  @AfterAll
  static void stop() {
    if (spine != null) {
      spine.close();
    }
  }

  @Test
  void isTheOneOfTheImage() throws Exception {
    assertTrue(mapped(""), spine.agent().log());
    assertFalse(spine.agent().log().contains("WARN"), spine.agent().log());
    spine.agent().stop();
  }

  @Test
  void isJavasOwnWhereThatIsWanted() throws Exception {
    assertFalse(mapped("-Dagent.tls=java"));
    assertTrue(spine.agent().log().contains("TLS is Java's own, as agent.tls says"));
    spine.agent().stop();
  }

  @Test
  void isJavasOwnWhereTheLibraryIsNotThereAndTheLogSaysSo() throws Exception {
    assertFalse(mapped("-Djava.library.path=/nowhere"));
    assertTrue(
        spine.agent().log().contains("TLS is Java's own, which costs more CPU"),
        spine.agent().log());
    spine.agent().stop();
  }

  /** Whether an agent that works has the library in its memory. */
  private static boolean mapped(String options) throws Exception {
    spine.environment.put("PIPEOPS_JAVA_OPTIONS", options);
    spine.startAgent();
    spine.awaitReady();
    assertEquals(200, spine.get("/version").statusCode());
    long pid = spine.agent().process().pid();
    return Files.readString(Path.of("/proc/" + pid + "/maps")).contains(LIBRARY);
  }
}
