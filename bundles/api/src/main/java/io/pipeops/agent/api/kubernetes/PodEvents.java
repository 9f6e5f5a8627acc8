package io.pipeops.agent.api.kubernetes;

import org.osgi.annotation.versioning.ProviderType;

/** Kubernetes events on the agent's own pod, for what an operator should see in its description. */
@ProviderType
public interface PodEvents {
  /**
   * Records an event of type Warning. Returns at once and never fails: outside of a pod, or where
   * events are not permitted, nothing is recorded. The same event is not repeated within minutes.
   *
   * @param reason one word in camel case, such as {@code SettingsRefused}
   * @param message for an operator; holds no secret; cut at 1,024 characters
   */
  void warn(String reason, String message);
}
