package io.pipeops.agent.link;

import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * What the launcher calls before it stops the framework, while everything still works: the cluster
 * is handed over to another replica.
 */
@Component(service = Runnable.class, property = "agent.role=farewell")
public final class Farewell implements Runnable {
  private final LinkComponent link;

  @Activate
  public Farewell(@Reference LinkComponent link) {
    this.link = link;
  }

  @Override
  public void run() {
    link.leave();
  }
}
