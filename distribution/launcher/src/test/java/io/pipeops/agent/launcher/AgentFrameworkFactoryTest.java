package io.pipeops.agent.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.osgi.framework.launch.FrameworkFactory;

class AgentFrameworkFactoryTest {
  @TempDir Path dir;

  @Test
  void isFoundBeforeThatOfFelix() {
    assertEquals(
        AgentFrameworkFactory.class,
        ServiceLoader.load(FrameworkFactory.class).findFirst().orElseThrow().getClass());
  }

  @Test
  void saysWhichPropertyIsMissing() {
    AgentFrameworkFactory factory = new AgentFrameworkFactory();
    String home =
        assertThrows(IllegalArgumentException.class, () -> factory.newFramework(null)).getMessage();
    assertTrue(home.contains("agent.home"), home);
    String run =
        assertThrows(
                IllegalArgumentException.class,
                () -> factory.newFramework(Map.of("agent.home", dir.toString())))
            .getMessage();
    assertTrue(run.contains("agent.run.dir"), run);
  }

  @Test
  void refusesAHomeThatIsNotWhole() {
    String message =
        assertThrows(
                UncheckedIOException.class,
                () ->
                    new AgentFrameworkFactory()
                        .newFramework(
                            Map.of("agent.home", dir.toString(), "agent.run.dir", dir.toString())))
            .getMessage();
    assertTrue(message.contains("base.json"), message);
  }
}
