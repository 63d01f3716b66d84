"""Sending reports by e-mail and to the robots of DingTalk, WeCom and Feishu."""
