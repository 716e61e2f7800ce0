"""Sentences that promise or claim work, and such that do neither, a sentence a line."""

LATER = """
I will ask my manager and revert.
You'll hear from us by tomorrow.
Expect a call from us this afternoon.
A colleague is going to reach out.
I'm checking on that right now, one moment please.
Give me a minute while I look that up.
Hold on, I'm looking into it.
Leave it with me.
I'll double-check with the kitchen.
Someone from our team will be in touch.
We'll send you the menu shortly.
I'm going to have someone call you.
I shall confirm it by e-mail.
Our manager will contact you.
Let me check with the team.
I'll see what I can do.
One moment while I check.
We'll keep you posted.
You will receive a confirmation by e-mail.
I can get back to you tomorrow with the price.
Déjeme consultarlo y le digo.
Te llamo mañana.
Le confirmo en un momento.
Mi compañero le contactará.
Un momento, lo reviso.
Nos pondremos en contacto con usted.
Te digo algo en breve.
Estoy consultándolo con el equipo.
Le enviaremos la carta.
Recibirá una confirmación.
Já te retorno.
Vou ver e te aviso.
Deixa eu verificar com a equipe.
Um momento, estou verificando.
Nossa equipe entrará em contato.
Você receberá uma confirmação.
Te ligo amanhã.
Ich kümmere mich darum.
Einen Moment, ich schaue nach.
Wir melden uns.
Ein Kollege wird Sie anrufen.
Ich gebe Ihnen Bescheid.
Sie hören von uns.
Ich kläre das und komme auf Sie zurück.
Sie erhalten eine Bestätigung per E-Mail.
Ich rufe Sie morgen an.
Saya cek dulu ya.
Mohon tunggu, saya tanyakan ke tim.
Tim kami akan menghubungi Anda.
Nanti kami kabari.
Akan saya infokan besok.
Anda akan menerima konfirmasi.
سأتحقق من ذلك وأعود إليك.
سيتواصل معك فريقنا.
لحظة من فضلك، سأسأل.
سنرسل لك القائمة.
ستصلك رسالة تأكيد.
Je vais vérifier et je reviens vers vous.
Nous vous contacterons demain.
Un collègue vous rappellera.
Je vous tiens au courant.
Controllo e le faccio sapere.
La ricontatteremo domani.
Ti richiamo più tardi.
Un collega la contatterà.
Ik kijk het na en kom erop terug.
We nemen contact met u op.
Sizi arayacağız.
Kontrol edip size döneceğim.
Size haber vereceğiz.
मैं जाँच करके आपको बताऊँगा।
हम आपसे संपर्क करेंगे।
我会查一下再回复您。
我们稍后会联系您。
Я уточню и вернусь к вам.
Мы с вами свяжемся.
Sprawdzę i dam znać.
Skontaktujemy się z Państwem.
""".strip().splitlines()
DONE = """
I've passed this on to the team.
I have made a note of your order.
Consider it done.
Your table is booked.
All set! See you on Friday at 8.
It's booked.
Done, your order is cancelled.
I just put you down for 8 pm.
Your refund is on its way.
The refund has been initiated.
I have gone ahead and cancelled it.
Your booking for two on Friday is confirmed.
You're booked in for Friday.
We cancelled your order.
Your order has now been successfully cancelled.
Su mesa está reservada.
Ya está cancelado.
Listo, he anotado su reserva.
Su reserva ha sido confirmada.
Queda reservado para el viernes.
Le he pasado el mensaje al equipo.
Sua mesa está reservada.
Pronto, cancelado!
Sua reserva foi confirmada.
Já anotei o seu pedido.
Ihr Tisch ist reserviert.
Ihre Bestellung wurde storniert.
Ist erledigt, Termin ist eingetragen.
Ich habe es notiert.
Die Erstattung ist veranlasst.
Pesanan Anda sudah dibatalkan.
Meja Anda sudah dipesan.
Sudah saya catat.
Reservasi Anda telah dikonfirmasi.
تم حجز طاولتك.
لقد ألغيت طلبك.
حجزك مؤكد.
J'ai annulé votre commande.
Votre table est réservée.
Votre réservation a été confirmée.
Ho prenotato il tavolo per lei.
Il suo ordine è stato annullato.
Ik heb uw bestelling geannuleerd.
Uw tafel is gereserveerd.
Siparişinizi iptal ettim.
Rezervasyonunuz onaylandı.
मैंने आपका ऑर्डर रद्द कर दिया है।
आपकी बुकिंग हो गई है।
我已经为您取消了订单。
您的预订已确认。
Я отменил ваш заказ.
Ваша бронь подтверждена.
Anulowałem zamówienie.
Państwa stolik jest zarezerwowany.
""".strip().splitlines()
FINE = """
We will be happy to welcome you on Sunday.
We will be closed on 24 December.
You can book a table on our website.
Tables can be booked by phone.
You will find us next to the station.
Your order can be picked up at the counter.
Orders are sent within two days.
Let me know if you need anything else.
We deliver on Saturdays and send orders by bicycle.
You can cancel up to 24 hours before.
I don't know that, sorry.
Is your order for today or tomorrow?
To confirm: two loaves of rye?
Once your order has been placed, it cannot be changed.
You can check your order on the website.
All our cakes are made to order.
You receive a confirmation when you book on the website.
Breakfast is included; a booked table is kept for 15 minutes.
Se puede reservar mesa por teléfono.
Abrimos mañana a las nueve.
Puede llamarnos de 9 a 14 h.
Las reservas se confirman por teléfono.
Enviamos a toda España.
¿Le puedo ayudar en algo más?
Você pode reservar pelo site.
Enviamos para todo o Brasil.
O café da manhã está incluído.
Sie können online reservieren.
Wir haben am Sonntag geöffnet.
Wir liefern samstags und verschicken montags.
Ich habe dazu leider keine Angaben.
Bestellungen werden am nächsten Tag verschickt.
Wir werden am 24. geschlossen haben.
Anda bisa memesan lewat situs kami.
Kami mengirim ke seluruh Indonesia.
Sarapan sudah termasuk.
Kami buka besok pukul sembilan.
يمكنك الحجز عبر الموقع.
نحن مفتوحون غدا.
سنكون مغلقين يوم الجمعة.
Vous pouvez réserver en ligne.
Nous sommes ouverts demain.
Può prenotare online.
Domani siamo aperti fino alle 18.
U kunt online reserveren.
Online rezervasyon yapabilirsiniz.
Yarın saat dokuzda açığız.
आप ऑनलाइन बुक कर सकते हैं।
您可以在线预订。
我们周日营业。
Можно забронировать на сайте.
Завтра мы открыты до шести.
Stolik można zarezerwować online.
Jutro jest otwarte od dziewiątej.
I can confirm that we are open on Sunday.
We look forward to seeing you on Friday.
We'll look forward to your visit.
We can send orders to the whole of Europe.
They will be with you at the entrance of the museum.
The room has a sea view and was updated in 2024.
Once you pay, your booking is confirmed.
You will get a discount of 10 % on your second visit.
Le confirmo que abrimos el domingo a las 10:00.
Le cuento: el corte incluye lavado y secado.
Te digo los precios: corte 35 €, color 90 €.
La mesa está reservada para grupos a partir de 8 personas.
Recibirá su pedido en dos o tres días laborables.
Le informo de que el parking es gratuito.
Te aviso que aos domingos estamos fechados.
Você vai receber o pedido em dois dias úteis.
Wir geben Ihnen 10 % Rabatt auf den zweiten Besuch.
Ich sage Ihnen gern die Preise: Schnitt 35 €.
Wir senden das Paket mit DHL.
Bitte bringen Sie einen Moment Zeit mit.
Wir schauen beim Beratungsgespräch gemeinsam, was passt.
Kami akan melayani Anda dengan senang hati.
Kamar sudah termasuk sarapan.
Pesanan yang sudah dibayar dikirim hari kerja berikutnya.
Nous vous accueillerons avec plaisir vendredi.
Nous vous rappelons que le samedi nous fermons à 14h.
Je vous confirme que nous sommes ouverts dimanche.
La chambre est réservée aux adultes.
Le confermo che siamo aperti domenica.
Il colore richiede un'ora e un momento di posa.
Siparişiniz yarın hazır olacaktır.
24 Aralık'ta kapalı olacağız.
Sizi ağırlamaktan mutlu olacağız.
""".strip().splitlines()
