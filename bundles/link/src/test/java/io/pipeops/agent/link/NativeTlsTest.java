package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.security.Security;
import javax.net.ssl.SSLContext;
import org.conscrypt.Conscrypt;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The same as with Java's TLS, with the one that the distribution uses: the same words, too. */
class NativeTlsTest extends TlsAndProxyTest {
  private static final String NAME = "NativeTlsTest";

  @BeforeAll
  static void useIt() {
    Security.insertProviderAt(
        Conscrypt.newProviderBuilder().setName(NAME).provideTrustManager(false).build(), 1);
  }

  @AfterAll
  static void leaveIt() {
    Security.removeProvider(NAME);
  }

  @Test
  void isWhatThisTestIsAbout() throws Exception {
    assertEquals(NAME, SSLContext.getInstance("TLS").getProvider().getName());
  }
}
