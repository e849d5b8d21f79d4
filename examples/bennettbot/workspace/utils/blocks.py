"""What messages of Slack are made of."""


def section(text):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}
