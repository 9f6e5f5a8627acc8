package io.pipeops.agent.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.security.Security;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class NativeCryptographyTest {
  private static final String NAME = "Conscrypt";

  @AfterEach
  void asItWas() {
    Security.removeProvider(NAME);
    System.clearProperty(NativeCryptography.CHOICE);
  }

  @Test
  void servesTlsAndLeavesTrustToJava() throws Exception {
    assertTrue(NativeCryptography.install());
    assertEquals(NAME, SSLContext.getInstance("TLS").getProvider().getName());
    String trust = TrustManagerFactory.getDefaultAlgorithm();
    assertNotEquals(NAME, TrustManagerFactory.getInstance(trust).getProvider().getName());
  }

  @Test
  void isLeftOutWhereJavasOwnIsWanted() throws Exception {
    System.setProperty(NativeCryptography.CHOICE, "java");
    assertFalse(NativeCryptography.install());
    assertNotEquals(NAME, SSLContext.getInstance("TLS").getProvider().getName());
  }
}
