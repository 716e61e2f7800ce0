"""How work is promised for later, or said to be done, in the languages that businesses speak.

Patterns over folded text (no accents, lower case, ``'`` for every apostrophe). They follow the
grammar rather than phrases: the first person with a verb of work to come, somebody of the business
who will, the customer who will hear; the first person with such a verb in the past, and the
customer's booking that now is. Rules and offers ("you can book", "orders are sent") fit none.
"""

import re

_ENGLISH_WORK = (
    r"(?:get back|come back|check|double-check|look(?! forward)|find out|follow up|contact|call|phone|ring|e-?mail|write"
    r"|message|text|notify|remind|let you know|update|send|(?<!look )forward|pass|arrange|investigate|ask|confirm|verify"
    r"|revert|reach out|be in (?:touch|contact)|keep you|see (?:what|if|whether)|have (?:some|a|the|my|our|them|him|her)"
    r"|get (?:some|a col|the|my|our)|make sure|take care|talk|speak|sort|handle|process|book|reserve|cancel|refund"
    r"|reschedule|raise|escalate)"
)
_ENGLISH_SOMEONE = (
    r"(?:someone|somebody|(?:a|my|our|the|one of our)\s+(?:\w+\s+)?(?:colleagues?|team|manager|staff|owner|chef"
    r"|kitchen|support|agent|people)|they|he|she)(?:\s+(?:from|of|on|at|in)\s+(?:our|the)\s+\w+)?"
)
LATER: tuple[str, ...] = (
    # English
    rf"\b(?:i|we)(?:'ll| will| shall| am going to| are going to|'m going to|'re going to|'m gonna| gonna)"
    rf"\s+(?:\w+\s+){{0,2}}?(?:{_ENGLISH_WORK})\b(?! (?:that|you that|you we)\b)",
    r"\b(?:i|we) can\s+(?:\w+\s+)?(?:get back|come back|find out|follow up|contact you|call you|ring you|let you know|keep you"
    r"|forward|pass (?:it|this|that)|ask (?:the|my|our|them)|check with|notify|remind|reach out)\b",
    r"\b(?:let me|allow me to)\s+(?:\w+\s+)?(?:check|find out|look|ask|confirm|verify|see|get|talk|speak)\b(?![^.!?\n]{0,20}:)",
    r"\b(?:i'm|i am|we're|we are)\s+(?:\w+\s+)?(?:checking|looking into|looking (?:that|it|this) up|asking|finding out"
    r"|confirming|verifying|contacting|forwarding|processing|on it)\b",
    rf"\b{_ENGLISH_SOMEONE}\s+(?:will|'ll|is going to|are going to|shall)\s+(?:\w+\s+)?(?:{_ENGLISH_WORK}|be with you (?:shortly|soon|in))\b",
    r"\b(?:you'll|you will|you can expect to|you should)\s+(?:\w+\s+)?(?:hear (?:from|back)|receive|get|be (?:contacted"
    r"|called|notified|refunded))\b.{0,30}\b(?:us|me|call|message|e-?mail|text|confirmation|reply|answer|refund|shortly"
    r"|soon|contacted|called|notified|refunded|link|invoice)\b",
    r"\b(?:expect|await)\s+(?:\w+\s+){0,2}(?:call|message|e-?mail|reply|answer)\b",
    r"\b(?:leave it (?:with|to) me|bear with me|keep you posted|give me (?:a|one|two|some|\d+)\s+(?:\w+\s+)?(?:minute|moment"
    r"|second|sec|hour)s?)\b|\bhold on\b(?! to\b)|\b(?:one|just a|a) (?:moment|minute|second)\b[^.]{0,20}\b(?:while|please|i)\b",
    # Spanish
    r"\b(?:te|le|les|os|lo|la|se lo)\s+(?:\w{2,20}(?:are|aremos|ere|eremos|ire|iremos))\b"
    r"|\b(?:te|le|les|os)\s+(?:llamo|aviso|avisamos|llamamos|confirmo|confirmamos|digo|decimos|informo|escribo"
    r"|envio|mando|contacto|respondo|cuento)\b(?!\s*:|,? (?:de )?que\b| l[oa]s? (?:precio|horario|opcion|detalle)|$)|\b(?:lo|la)\s+(?:reviso|consulto|miro|compruebo|pregunto|averiguo)\b",
    r"\b(?:voy|vamos) a (?:\w+\s+)?(?:consultar|averiguar|comprobar|revisar|verificar|preguntar|contactar|llamar|avisar"
    r"|enviar|mirar|ver|pasar|hablar|confirmar|reservar|cancelar)\w*\b",
    r"\b(?:me|nos|se) pondr(?:e|emos|a|an) en contacto\b|\b(?:consultaremos|consultare|revisare|verificare|preguntare)\b",
    r"\b(?:te|le|les|os) (?:contactara|llamara|avisara|escribira|respondera|atendera|informara)n?\b",
    r"\b(?:dejeme|dejame|permitame|permiteme)\s+(?:consultar|verificar|revisar|preguntar|comprobar|ver|mirar)\w*\b",
    r"\b(?:estoy|estamos)\s+(?:consultand|verificand|revisand|comproband|preguntand|averiguand)\w+\b",
    r"\b(?:recibira|recibiras)\s+(?:\w+\s+){0,3}?(?:confirmacion|llamada|mensaje|correo|respuesta|e-?mail|aviso|noticias|enlace)\b"
    r"|\b(?:tendra|tendras) noticias\b",
    # Portuguese
    r"\b(?:irei|iremos|vou|vamos)\s+(?:\w+\s+)?(?:verificar|consultar|perguntar|contatar|contactar|ligar|avisar|enviar"
    r"|confirmar|retornar|checar|ver|olhar|falar|pedir|reservar|cancelar|encaminhar|averiguar)\b",
    r"\b(?:entrarei|entraremos|entrara|entrarao)\s+em conta(?:c)?to\b|\b(?:retornarei|retornaremos|avisarei|avisaremos"
    r"|ligarei|enviarei|enviaremos|confirmarei|verificarei|responderei|responderemos|ligaremos)\b",
    r"\b(?:te|lhe|o|a)\s+(?:retorno|aviso|ligo|respondo|confirmo|envio|mando|escrevo)\b(?!\s*:|,? que\b)|\bja (?:volto|retorno|respondo)\b",
    r"\b(?:deixa eu|deixe-me|deixe eu|permita-me)\s+(?:verificar|ver|consultar|checar|perguntar|confirmar)\b",
    r"\b(?:estou|estamos)\s+(?:verificando|consultando|checando|confirmando|perguntando|a verificar)\b",
    r"\b(?:voce recebera|vai receber|recebera)\s+(?:\w+\s+){0,3}?(?:confirmacao|ligacao|mensagem|email|e-mail|resposta|aviso|retorno|link)\b",
    # German
    r"\b(?:ich|wir)\s+(?:werde|werden)\b.{0,60}\b(?:melden|nachfragen|fragen|prufen|klaren|informieren|kontaktieren|anrufen"
    r"|schicken|senden|geben|erinnern|kummern|nachsehen|nachschauen|schauen|weiterleiten|weitergeben|sorgen|veranlassen"
    r"|reservieren|buchen|stornieren|zuruckrufen|zuruckkommen|bestatigen)\b",
    r"\b(?:ich|wir)\s+(?:melde|melden|kummere|kummern|rufe|rufen|schicke|schicken|sende|senden|komme|kommen|leite"
    r"|leiten|erkundige|erkundigen)\s+(?:mich|uns|sie|ihnen|dir|dich|euch|es|auf)\b.{0,50}"
    r"(?:\b(?:an|zu|zuruck|bescheid|weiter|darum|morgen|spater|bald|bei|nach)\b|[.!])",
    r"\b(?:ich|wir)\s+(?:gebe|geben|sage|sagen|leite|leiten)\s+(?:\w+\s+){0,4}?(?:bescheid|weiter|ruckmeldung|antwort)\b",
    r"\b(?:melde|melden) (?:ich )?(?:mich|uns)\b",
    r"\b(?:ich|wir)\s+(?:frage|fragen|schaue|schauen|klare|klaren|prufe|prufen|sehe|sehen|erkundige|uberprufe)\b.{0,40}"
    r"(?:\bnach\b|\bund\b|\bdas\b|\bfur sie\b|\bmal\b|\bkurz\b|\bmit (?:dem|der|den|meine|unsere))",
    r"\b(?:kollege|kollegin|kollegen|team|chef|jemand|mitarbeiter|mitarbeiterin)\s+(?:wird|werden|meldet|melden|ruft)\b",
    r"\bsie horen\s+(?:\w+\s+)?von (?:uns|mir)\b|\b(?:sie (?:erhalten|bekommen)|du (?:erhaltst|bekommst))\s+(?:\w+\s+){0,3}"
    r"(?:bestatigung|nachricht|anruf|ruckruf|antwort|mail)\b",
    r"\b(?:einen|ein) (?:moment|augenblick)\b(?! (?:zeit|geduld mit|der|im))",
    # Indonesian
    r"\b(?:saya|kami|tim kami|rekan kami|petugas kami)\s+(?:akan|nanti)\s+(?:\w+\s+)?(?:hubungi|cek|tanya|kabari|kirim|konfirmasi|pastikan"
    r"|infokan|catat|periksa|proses|menghubungi|mengecek|menanya|mengabari|mengirim|mengonfirmasi|mengkonfirmasi|memastikan|menginfo|memberi"
    r"|meneruskan|menyampaikan|memeriksa|mencari|membatalkan|memesan|memproses|mencatat|menelepon|membalas|menjadwal|mengurus|menindak"
    r"|mengatur|mengubah|melapor|mengembalikan)\w*\b",
    r"\b(?:akan|nanti)\s+(?:saya|kami)\s+(?:\w+)\b|\b(?:saya|kami)\s+(?:cek|tanyakan|kabari|infokan|konfirmasi|pastikan|periksa)\b",
    r"\b(?:mohon|harap|tolong)\s+(?:di)?tunggu\b|\banda akan (?:menerima|mendapat|dihubungi|dikabari)\w*\b",
    # Arabic
    r"(?:^|\s)(?:و)?(?:س|سوف\s+)(?:ا|ن|ي|ت)?(?:تواصل|تصل|رسل|تحقق|خبر|علم|رد|راجع|سال|تابع|وافي|عود|حجز|لغي|صلك|تلقى|بحث"
    r"|تاكد|ستفسر|كلم)\w*",
    r"(?:لحظة|دقيقة|انتظر)\s+(?:واحدة\s+)?(?:من فضلك|لو سمحت)|\bدعني\s+(?:ا|ن)\w+",
    # French
    r"\b(?:je|nous|on)\s+(?:vais|allons|va)\s+(?:\w+\s+)?(?:verifier|demander|voir|regarder|consulter|contacter|appeler|rappeler"
    r"|envoyer|prevenir|informer|confirmer|transmettre|reserver|annuler|me renseigner|nous renseigner)\b",
    r"\b(?:je|nous|on|collegue|equipe|quelqu'un|responsable|il|elle)\s+(?:\w+\s+)?(?:vous|te|t')\s*(?:(?!accueill|attend|propos|offr|serv|souhait)\w+(?:erai|erons|era|eront"
    r"|irai|irons|endrai|endrons|endra)|tiens|tenons|reviens|rappelle|rappelons|recontacte|recontactons|confirme|envoie|dis)\b(?! que?\b| qu')",
    r"\b(?:je|nous) (?:me|nous) renseign|\breviens vers vous\b|\b(?:un instant|un moment|une minute)\b.{0,20}\b(?:je|svp|s'il)"
    r"|\blaissez-moi (?:verifier|voir|demander)|\bvous recevrez\s+(?:\w+\s+){0,3}?(?:confirmation|appel|message|mail|e-mail|reponse|lien|nouvelles)\b",
    # Italian
    r"\b(?:la|vi|ti|le|gli)\s+\w*(?:contattero|contatteremo|contattera|richiamo|richiameremo|richiamero|chiamero|chiameremo"
    r"|avviso|avvisero|avviseremo|faccio sapere|faremo sapere|faro sapere|inviero|invieremo|mando|rispondero|aggiorno|confermo"
    r"|confermero|confermeremo|scrivo|scrivero|chiamera|rispondera)\b(?! che\b|\s*:)",
    r"\b(?:vado a|adesso|ora)\s+(?:controllo|verifico|chiedo)\b|\b(?:controllo|verifico|chiedo) (?:e|con|al|subito)\b"
    r"|\b(?:verifichero|controllero|chiedero|ricontattero)\b|\b(?:un attimo|un momento)\b(?! di\b)|\bricevera\s+(?:\w+\s+){0,3}?(?:conferma|chiamata|messaggio|mail|e-mail|risposta|link)\b|\bmi faccia (?:controllare|verificare)",
    # Dutch
    r"\b(?:ik|we|wij)\s+(?:zal|zullen|ga|gaan)\s+(?:\w+\s+){0,3}(?:nakijken|kijken|vragen|navragen|bellen|mailen|sturen|laten weten"
    r"|contact|controleren|regelen|bevestigen|terugkomen|uitzoeken)\b",
    r"\b(?:ik|we|wij) (?:kijk|kom|neem|nemen|bel|bellen|vraag|vragen|laat|laten|stuur|sturen|zoek)\s.{0,40}\b(?:na|terug|op|uit|weten|even)\b"
    r"|\b(?:een (?:moment|ogenblik)|u hoort van ons|u ontvangt (?:\w+ )?(?:bevestiging|bericht|mail|e-mail|antwoord))\b",
    # Turkish
    r"\w\w(?<!\bol)(?<!\bkal)(?:acagiz|ecegiz|acagim|ecegim|acaktir|ecektir)\b|\b(?:bir dakika|bir saniye|lutfen bekleyin)\b"
    r"|\b(?:ariyorum|kontrol ediyorum|soruyorum|iletiyorum)\b",
    # Hindi (folded: without virama)
    r"(?:बता|पूछ|भेज|कर|जाच|जांच|देख|संपरक)\S{0,8}\s{0,2}(?:ऊँगा|ऊंगा|ूंगा|ूगा|एंगे|ेंगे|ेगे|ेगा)|(?:बता|पूछ|भेज|कर)(?:ऊ|ू|ए|े)\S{0,2}ग(?:ा|े|ी)",
    # Chinese
    r"(?:我|我们|我們|同事|客服)[^。！？]{0,8}(?:会|會|将|將|稍后|稍後|马上|馬上|去)[^。！？]{0,10}(?:查|问|問|联系|聯繫|回复|回覆|通知|发|發|打电话|确认|確認|安排|告诉|告訴|跟进)"
    r"|(?:稍等|请等|請等|等一下)|(?:稍后|稍後|尽快|盡快)[^。！？]{0,6}(?:联系|聯繫|回复|回覆|通知)",
    # Russian
    r"\b(?:я|мы)\b.{0,20}\b(?:уточню|уточним|узнаю|узнаем|проверю|проверим|перезвоню|перезвоним|свяжусь|свяжемся|сообщу|сообщим|напишу"
    r"|напишем|отправлю|отправим|вернусь|вернемся|спрошу|передам|передадим|забронирую|отменю)\b"
    r"|\b(?:уточню|перезвоню|перезвоним|свяжемся|сообщим|одну минуту|минутку|подождите)\b|\bс вами свяж",
    # Polish
    r"\b(?:sprawdze|sprawdzimy|zapytam|zapytamy|oddzwonie|oddzwonimy|odezwe|odezwiemy|skontaktuje|skontaktujemy|dam znac|damy znac"
    r"|wysle|wyslemy|potwierdze|potwierdzimy|poinformuje|poinformujemy|przekaze|przekazemy|zadzwonie|zadzwonimy|prosze czekac|chwileczke)\b",
)

_ENGLISH_DONE = (
    r"(?:booked|reserved|cancell?ed|refunded|changed|updated|rescheduled|moved|ordered|placed (?:the|your) order"
    r"|transferred|sent|registered|confirmed|applied (?:a|the|your)|added|removed|arranged|scheduled|processed|issued"
    r"|put you|made (?:a|your|the) (?:\w+ )?(?:booking|reservation|appointment|order|note)|noted|taken (?:down|care))"
)
_ENGLISH_THING = (
    r"(?:booking|reservation|order|appointment|refund|account|subscription|delivery|table|room|payment|ticket|visit"
    r"|request)"
)
DONE: tuple[str, ...] = (
    # English
    rf"\b(?:i|we)(?:'ve| have)?\s+(?:just |already |now |gone ahead and |successfully ){{0,2}}{_ENGLISH_DONE}\b",
    # Spanish
    r"\b(?:he|hemos)\s+(?:\w+\s+)?(?:reservado|cancelado|cambiado|reembolsado|anulado|confirmado|enviado|registrado|actualizado"
    r"|pedido|devuelto|anotado|apuntado|tramitado|modificado|agendado)\b",
    r"\b(?:ya esta|queda|quedo|listo,?)\s+(?:reservad|cancelad|confirmad|anulad|hech|anotad|cambiad)[oa]\b"
    r"|\b(?:reserve|cancele|anule|anote) (?:su|tu|la|el)\b",
    # Portuguese
    r"\b(?:ja |acabo de |acabei de )?(?:reservei|cancelei|alterei|reembolsei|confirmei|enviei|registrei|atualizei|reservamos"
    r"|cancelamos|alteramos|reembolsamos|remarquei|anotei|agendei|marquei)\b",
    r"\b(?:pronto|feito|ja esta|prontinho)\b[,!:]?\s*(?:reservad|cancelad|confirmad|feit|anotad|agendad)[oa]\b",
    # German
    r"\b(?:ich|wir)\s+habe?n?\b.{0,60}\b(?:gebucht|reserviert|storniert|erstattet|geandert|bestellt|bestatigt|verschoben"
    r"|geschickt|gesendet|uberwiesen|eingetragen|notiert|vorgemerkt|veranlasst|erledigt|abgesagt)\b",
    r"\b(?:ist|schon|alles) erledigt\b",
    # Indonesian
    r"\b(?:saya|kami)\s+(?:sudah|telah)\s+(?:\w+\s+)?(?:me|ber|pesan|catat|batal|kirim|ubah|jadwal|konfirmasi)\w*\b",
    r"\b(?:sudah|telah)\s+(?:saya|kami)\s+\w+\b",
    # Arabic
    r"(?:لقد|تم|قمت|قمنا)\s+(?:ب)?\w*(?:حجز|الغاء|الغي|تغيير|تعديل|استرداد|تاكيد|ارسال|تسجيل|تحويل|ارسل)\w*",
    # French
    r"\b(?:j'ai|nous avons|on a)\s+(?:\w+\s+)?(?:reserve|annule|change|rembourse|confirme|envoye|enregistre|modifie|commande|note|deplace)e?s?\b",
    # Italian
    r"\b(?:ho|abbiamo)\s+(?:\w+\s+)?(?:prenotato|annullato|cancellato|cambiato|rimborsato|confermato|inviato|registrato|modificato|ordinato"
    r"|annotato|spostato)\b",
    # Dutch
    r"\b(?:ik|we|wij)\s+(?:heb|hebben)\b.{0,50}\b(?:geboekt|gereserveerd|geannuleerd|gewijzigd|terugbetaald|bevestigd|verstuurd|genoteerd|verplaatst)\b",
    # Turkish
    r"\b(?:iptal|rezerve|iade|kayit|not|onay|teyit|degistir|siparis)\s*(?:ettim|ettik|edildi|yaptim|yaptik|alindi|dim)\b",
    # Hindi
    r"(?:मैंने|हमने)\s.{0,40}(?:कर दिया|कर दी|भेज दिया|कर लिया|बुक किया)",
    # Chinese
    r"(?:已经?|已經?)(?:为您|為您|帮您|幫您|给您)?[^。！？]{0,4}(?:取消|预订|預訂|预约|預約|确认|確認|退款|更改|发送|發送|安排|登记|下单|修改)|(?:帮您|幫您|为您|為您)[^。！？]{0,6}(?:好了|订好|取消了)",
    # Russian
    r"\b(?:я|мы)\b.{0,20}\b(?:отменил|отменила|отменили|забронировал|забронировала|забронировали|заказал|изменил|изменили|подтвердил|подтвердили"
    r"|вернул|вернули|отправил|отправили|записал|записала|записали|перенес|перенесли)\b",
    # Polish
    r"\b(?:anulowal|zarezerwowal|zamowil|zmienil|potwierdzil|zwrocil|wyslal|zapisal|przelozyl)(?:em|am|ismy|ysmy)\b",
)
STANDS: tuple[str, ...] = (
    # English
    rf"\b(?:your|the|this|that)\s+{_ENGLISH_THING}\b[^.?!]{{0,40}}?(?:'s|\bis|\bhas|\bwas|\bhave)"
    rf"\s+(?:been\s+|now\s+|just\s+|already\s+|successfully\s+|all\s+){{0,3}}(?:booked|made|confirmed|cancell?ed|refunded|changed|updated"
    r"|rescheduled|placed|issued|processed|deleted|initiated|reserved|on its way|set|sorted|arranged|noted)\b"
    r"(?! (?:for|to) (?:groups|adults|guests|members|parties|people|customers|\d+ min)"
    r"| (?:by|via|online|in cash|on (?:the|our|site)|in \d{4}))",
    r"\b(?:it's|it is|that's|that is|you're|you are)\s+(?:now\s+|all\s+|already\s+){0,2}(?:booked|cancell?ed|refunded|reserved|confirmed|done"
    r"|arranged|sorted|all set)\b(?! (?:in \d|within|by|on (?:the|our)|for (?:the|a) ))|\b(?:consider it done|all set\s*[!.]|booked for you)|\bdone[,!:]",
    # Spanish
    r"\b(?:su|tu|la|el)\s+(?:mesa|reserva|pedido|cita|habitacion|reembolso|cuenta|suscripcion)\b[^.?!]{0,30}\b(?:esta|queda|ha sido|fue)\s+(?:ya\s+)?"
    r"(?:reservad|cancelad|confirmad|anulad|cambiad|reembolsad|tramitad|hech|registrad|modificad)[oa]\b(?! (?:para|a) (?:grupos|adultos|clientes|socios|huespedes|personas|\d+ min))",
    # Portuguese
    r"\b(?:sua|seu|a sua|o seu)\s+(?:mesa|reserva|pedido|consulta|quarto|reembolso|conta|horario)\b[^.?!]{0,30}\b(?:esta|ficou|foi|foram)\s+"
    r"(?:reservad|cancelad|confirmad|anulad|alterad|reembolsad|registrad|agendad|marcad)[oa]\b(?! (?:para|a) (?:grupos|adultos|clientes|socios|hospedes|pessoas|\d+ min))",
    # German
    r"\b(?:ihr|ihre|dein|deine|der|die|das)\s+(?:tisch|termin|bestellung|buchung|reservierung|zimmer|erstattung|auftrag|konto|lieferung)\b"
    r"[^.?!]{0,30}\b(?:ist|wurde|sind|wurden)\s+(?:\w+\s+){0,2}(?:gebucht|reserviert|storniert|erstattet|geandert|bestatigt|verschoben"
    r"|eingetragen|notiert|vorgemerkt|veranlasst|erledigt|abgesagt)\b",
    # Indonesian
    r"\b(?:pesanan|meja|reservasi|kamar|janji|pemesanan|pembayaran)\b[^.?!]{0,20}(?<!yang )\b(?:sudah|telah)\s+(?:di|ter(?!masuk|sedia))\w+\b",
    # Arabic
    r"(?:حجزك|طلبك|موعدك|طاولتك)\s+(?:الان\s+)?(?:موكد|ملغى|محجوز|جاهز|ملغي)\w*",
    # French
    r"\b(?:votre|ta|ton|la|le)\s+(?:table|reservation|commande|chambre|rendez-vous|remboursement|compte)\b[^.?!]{0,30}\b(?:est|a ete|sont)\s+(?:bien\s+)?"
    r"(?:reserve|annule|confirme|modifie|rembourse|enregistre|change)e?s?\b(?! (?:aux|a des|pour les|pour \d+ min))",
    # Italian
    r"\b(?:suo|sua|tuo|tua|il|la)\s+(?:tavolo|prenotazione|ordine|camera|appuntamento|rimborso)\b[^.?!]{0,30}\be\s+(?:stat[oa]\s+)?"
    r"(?:prenotat|annullat|confermat|modificat|rimborsat|cancellat|spostat)[oa]\b",
    # Dutch
    r"\b(?:uw|je)\s+(?:tafel|bestelling|reservering|kamer|afspraak)\b[^.?!]{0,30}\b(?:is|werd)\s+(?:\w+\s+)?(?:geboekt|gereserveerd|geannuleerd|gewijzigd"
    r"|bevestigd|verplaatst)\b",
    # Turkish
    r"\b(?:rezervasyonunuz|siparisiniz|masaniz|randevunuz|odaniz|iadeniz)\w*\s+(?:\w+\s+)?(?:onaylandi|onaylanmistir|alindi|iptal edildi|ayrildi|yapildi"
    r"|olusturuldu)\b",
    # Hindi
    r"(?:बुकिंग|ऑरडर|ओरडर|रिफंड)\s.{0,20}(?:हो गई|हो गया|कर दिया|रदद)",
    # Russian
    r"\b(?:бронь|заказ|столик|запись|номер|возврат)\b[^.?!]{0,20}\b(?:подтвержден|отменен|забронирован|оформлен|изменен)[ао]?\b",
    # Polish
    r"\b(?:stolik|rezerwacja|zamowienie|pokoj|wizyta|zwrot)\b[^.?!]{0,20}\b(?:jest|zostal|zostala|zostalo)\s+(?:\w+\s+)?(?:zarezerwowan|anulowan|potwierdzon"
    r"|zmienion|zwrocon|przelozon)[yae]?\b",
)
"""Said to stand so: a lie where nothing did it, the truth where the business's system says it."""
UNDONE: tuple[str, ...] = (
    r"cancel|annul|anul|storn|abgesagt|batal|refund|reembols|erstatt|rembours|rimbors|terugbet|iade|zwroc|iptal",
    r"chang|cambi|geander|alterad|modific|modifie|gewijz|zmienion|updated|resched|verschob|verplaatst|spostat|przeloz|deleted",
    r"ملغ|取消|退款|更改|отмен|измен|возврат|रदद|रिफंड",
)
"""What a customer loses by believing it: only a system that says so itself is believed."""
ON_CONDITION: tuple[str, ...] = (
    r"\b(?:once|when|if|after|until|unless|as soon as|si|cuando|una vez|despues|se|quando|depois|apos|assim que|wenn|sobald|nachdem|falls"
    r"|quand|des que|une fois|apres|dopo|appena|als|zodra|wanneer|jika|kalau|setelah|bila|gdy|jesli|jezeli|если|когда|после)\b"
    r"|(?:اذا|عندما|بعد)|如果|之后|यदि|अगर",
)
"""In front of what is so: a rule of the house, no claim."""
PASSED_ON: tuple[str, ...] = (
    r"\b(?:i|we)(?:'ve| have)?\s+(?:just |already |now )?(?:notified|forwarded|informed|told|alerted|passed|let (?:the|our|my|them))\b",
    r"\b(?:he|hemos)\s+(?:\w+\s+)?(?:avisado|informado|pasado|reenviado|trasladado|comunicado)\b",
    r"\b(?:avisei|informei|encaminhei|passei|repassei|encaminhamos|avisamos)\b",
    r"\b(?:ich|wir)\s+habe?n?\b.{0,60}\b(?:weitergeleitet|weitergegeben|informiert|benachrichtigt|bescheid gegeben)\b",
    r"\b(?:sudah|telah)\s+(?:\w+\s+)?(?:meneruskan|diteruskan|teruskan|sampaikan|disampaikan|memberitahu)\b",
    r"\b(?:j'ai|nous avons)\s+(?:\w+\s+)?(?:transmis|prevenu|informe)\b|\b(?:ho|abbiamo) (?:inoltrato|avvisato|informato)\b",
    r"\b(?:ik|we|wij) (?:heb|hebben)\b.{0,40}\b(?:doorgegeven|doorgestuurd|geinformeerd)\b",
)
"""Said to be done, and true where the conversation goes to people with it."""


def compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Return one pattern of many."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
