"""What channels send by: HTTP, SMTP and AMQP, and the formats that several of them share."""
