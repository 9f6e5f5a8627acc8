package io.pipeops.agent.api.link;

import org.osgi.annotation.versioning.ConsumerType;

/** Is told of every change of the connection's state, once at its own start too. Must not block. */
@ConsumerType
public interface LinkListener {
  void linkChanged(LinkStatus status);
}
